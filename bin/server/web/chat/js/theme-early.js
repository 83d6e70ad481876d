// A classic script, so that it runs before the first paint: a chosen theme must not flash in after the other one.
try {
  const theme = JSON.parse(localStorage.getItem("hitesh.preferences") ?? "{}").theme;
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the system's theme it is.
}
