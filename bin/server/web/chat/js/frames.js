/** @typedef {{draw(now: number): boolean}} Drawable `draw` says whether it wants another frame. */

/** @type {Set<Drawable>} */
const waiting = new Set();
let scheduled = false;

/** Draws in the next animation frame, once, however often it is asked for. @param {Drawable} drawable */
export function drawSoon(drawable) {
  waiting.add(drawable);
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(run);
}

function run(now) {
  scheduled = false;
  const batch = [...waiting];
  waiting.clear();
  for (const drawable of batch) if (drawable.draw(now)) drawSoon(drawable);
}
