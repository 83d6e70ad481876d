// The admin key, as long as this tab lives.

const NAME = "hitesh.admin-key";

/** @returns {string | null} */
export function adminKey() {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null;
  }
}

/** @param {string | null} key */
export function keepAdminKey(key) {
  try {
    if (key === null) sessionStorage.removeItem(NAME);
    else sessionStorage.setItem(NAME, key);
  } catch {
    // Without storage the key has to be given again after a reload.
  }
}
