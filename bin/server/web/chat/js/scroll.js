/** Closer to the end than this is at the end. */
const NEAR = 48;

/**
 * Keeps the newest in view as long as the reader is at the end, and leaves them alone once they have scrolled up.
 */
export class Pin {
  #scroller;
  #pinned = true;
  #lastTop = 0;
  #onchange;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} content What grows in it.
   * @param {(isPinned: boolean) => void} onchange
   */
  constructor(scroller, content, onchange) {
    this.#scroller = scroller;
    this.#onchange = onchange;
    scroller.addEventListener("scroll", () => {
      const up = scroller.scrollTop < this.#lastTop - 1;
      this.#lastTop = scroller.scrollTop;
      const before = this.#pinned;
      if (this.#distance() < NEAR) this.#pinned = true;
      else if (up) this.#pinned = false;
      if (before !== this.#pinned) onchange(this.#pinned);
    }, { passive: true });
    const observer = new ResizeObserver(() => {
      if (this.#pinned) this.#toEnd();
      this.#tell();
    });
    observer.observe(content);
    observer.observe(scroller);
  }

  #distance() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  #tell() {
    this.#onchange(this.#pinned || this.#distance() < NEAR);
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#lastTop = this.#scroller.scrollTop;
  }

  /** Goes to the beginning, and stays there: what is shown is to be read from it. */
  begin() {
    this.#pinned = false;
    this.#scroller.scrollTop = 0;
    this.#lastTop = 0;
    this.#tell();
  }

  /** Goes to the end, and stays there. */
  pin() {
    this.#pinned = true;
    this.#toEnd();
    this.#tell();
  }
}
