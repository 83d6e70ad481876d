import { copied } from "../code.js";
import { Sentences } from "../announcer.js";
import { h, icon, iconButton } from "../dom.js";
import { drawSoon } from "../frames.js";
import { MarkdownStream, drawWhole } from "../markdown-stream.js";
import { errorWords, statusWords } from "../words.js";
import { editor } from "./editor.js";
import { infoPanel } from "./info.js";
import { StepLine } from "./step.js";

/** A turn on the page: the question, two foldable lines, the answer, and what can be done with it. */
export class TurnView {
  #turn;
  #conversation;
  #around;
  #question = h("div", { className: "question" });
  #steps;
  #waiting = h("p", { className: "waiting" });
  #output = h("div", { className: "answer-text", dir: "auto" });
  #problem = h("div", { className: "problem", hidden: true });
  #actions = h("div", { className: "actions" });
  #info = h("div", { className: "info", hidden: true });
  #stream = new MarkdownStream(this.#output);
  #sentences;
  #hasOutput = false;

  /**
   * @param {import("../turn.js").Turn} turn
   * @param {import("../conversation.js").Conversation} conversation
   * @param {import("../conversation.js").Surroundings} around
   */
  constructor(turn, conversation, around) {
    this.#turn = turn;
    this.#conversation = conversation;
    this.#around = around;
    this.#sentences = new Sentences((sentence) => around.announcer.say(sentence));
    this.#steps = {
      analyze: new StepLine("analyze", () => conversation.inform(turn)),
      think: new StepLine("think", () => conversation.inform(turn)),
    };
    this.#nameSteps();
    const mark = h("div", { className: "answer-mark" }, icon("cup"), h("span", { className: "answerer" }));
    const steps = h("div", { className: "steps" }, this.#steps.analyze.element, this.#steps.think.element);
    const answer = h("div", { className: "answer" }, mark, steps, this.#output, this.#waiting, this.#problem, this.#actions, this.#info);
    // It takes the focus when what had it is gone, as the button that asked for another answer is.
    this.element = h("article", { className: "turn", tabIndex: -1 }, this.#question, answer);
    this.#showQuestion();
    this.#nameAnswerer();
    this.#turn.changed = (what, detail) => this.#changed(what, detail);
    if (!turn.isRunning) this.#showPast();
    this.#showState();
  }

  #changed(what, detail) {
    switch (what) {
      case "delta":
        if (detail.step === "output") this.#answer(detail.delta);
        else this.#steps[detail.step].push(detail.delta);
        this.#showState();
        drawSoon(this);
        break;
      case "step":
        this.#steps[detail].finish(this.#turn.steps[detail]);
        break;
      case "named":
      case "begun":
        this.#nameAnswerer();
        this.#nameSteps();
        this.#showState();
        break;
      case "resync":
        this.#hasOutput = false;
        this.#stream.reset();
        this.#steps.analyze.reset();
        this.#steps.think.reset();
        this.#showState();
        break;
      case "ended":
        this.#ended();
        break;
      case "known":
        this.#showKnown();
        break;
      case "unknown":
      case "kept":
        this.#showProblem(detail, what === "kept");
        break;
      default:
        this.#showState();
    }
  }

  #answer(delta) {
    if (!this.#hasOutput) {
      this.#hasOutput = true;
      this.#steps.analyze.answerBegan();
      this.#steps.think.answerBegan();
    }
    this.#stream.push(delta);
    this.#sentences.push(delta);
  }

  /** @param {number} now */
  draw(now) {
    this.#steps.analyze.draw();
    this.#steps.think.draw();
    return this.#turn.isRunning && this.#stream.draw(now);
  }

  #ended() {
    this.draw(Infinity);
    this.#sentences.finish();
    this.#steps.analyze.finish(this.#turn.steps.analyze);
    this.#steps.think.finish(this.#turn.steps.think);
    if (this.#stream.text !== this.#turn.steps.output.replaceAll("\r", "")) {
      this.#stream.reset();
      this.#stream.push(this.#turn.steps.output);
    }
    if (this.#turn.steps.output) {
      this.#steps.analyze.answerBegan();
      this.#steps.think.answerBegan();
    }
    this.#stream.finish();
    this.#showState();
    const { state, error } = this.#turn;
    if (error) this.#around.announcer.say(errorWords(error));
    else this.#around.announcer.say(state === "stopped" ? "The answer was stopped." : "The answer is complete.");
  }

  #showPast() {
    this.#hasOutput = true;
    drawWhole(this.#output, this.#turn.steps.output);
    this.#steps.analyze.past();
    this.#steps.think.past();
  }

  #showKnown() {
    const { analyze, think, output } = this.#turn.steps;
    this.#steps.analyze.finish(analyze);
    this.#steps.think.finish(think);
    if (!this.#hasOutput) this.#ended();
    else if (output && this.#output.childElementCount === 0) drawWhole(this.#output, output);
    this.#nameAnswerer();
    this.#nameSteps();
    if (!this.#info.hidden) this.#info.replaceChildren(infoPanel(this.#turn, this.#around.personas));
    this.#showState();
  }

  #nameAnswerer() {
    const { personas } = this.#around;
    const name = personas.byId(this.#turn.persona)?.name ?? personas.all[0]?.name ?? "Hitesh";
    const label = this.element.querySelector(".answerer");
    if (label) label.textContent = name;
    this.element.setAttribute("aria-label", `Question, and ${name}'s answer`);
  }

  #nameSteps() {
    const names = this.#around.personas.byId(this.#turn.persona)?.steps;
    this.#steps.analyze.name(names?.analyze ?? "Analyze");
    this.#steps.think.name(names?.think ?? "Think");
  }

  #showQuestion() {
    const edit = iconButton("edit", "Edit and ask again", () => this.#edit());
    const text = h("p", { className: "question-text", dir: "auto" }, this.#turn.question);
    this.#question.replaceChildren(h("div", { className: "bubble" }, text), edit);
  }

  #edit() {
    if (this.#conversation.running) return;
    const form = editor(this.#turn.question, {
      send: (content) => {
        // Another answer has begun in the meantime: what was written stays until it has ended.
        if (this.#conversation.running) return;
        this.#showQuestion();
        this.element.focus({ preventScroll: true });
        this.#conversation.edit(this.#turn, content);
      },
      cancel: () => {
        this.#showQuestion();
        this.#question.querySelector("button")?.focus();
      },
    });
    this.#question.replaceChildren(form);
    form.querySelector("textarea")?.focus();
  }

  /** All that depends on how far the answer is. */
  #showState() {
    const turn = this.#turn;
    this.element.dataset.state = turn.state;
    if (turn.isRunning) this.element.setAttribute("aria-busy", "true");
    else this.element.removeAttribute("aria-busy");
    if (turn.isRunning) {
      const words = turn.stopping ? "Stopping" : turn.reconnecting ? "Reconnecting" : statusWords(turn.statuses, turn.meta.provider);
      const isQuiet = turn.state === "running" && !turn.reconnecting && !turn.stopping;
      if (this.#waiting.dataset.words !== words) {
        this.#waiting.dataset.words = words;
        this.#waiting.replaceChildren(icon("cup"), h("span", {}, `${words}…`));
        if (!isQuiet) this.#around.announcer.say(words);
      }
      this.#waiting.hidden = isQuiet;
      this.#problem.hidden = true;
      if (!this.#actions.classList.contains("reserved")) {
        this.#actions.replaceChildren();
        this.#actions.classList.add("reserved");
      }
      return;
    }
    this.#waiting.hidden = true;
    if (turn.error) this.#showProblem(errorWords(turn.error), true);
    else if (turn.state === "stopped") this.#showProblem("You stopped this answer.", turn.steps.output === "");
    this.#showActions();
  }

  #showProblem(words, canRetry) {
    this.#problem.hidden = false;
    const retry = h("button", { type: "button", className: "button", onclick: () => this.#conversation.again(this.#turn) },
      icon("again"), "Try again");
    this.#problem.replaceChildren(h("p", {}, words), ...(canRetry ? [retry] : []));
  }

  #showActions() {
    this.#actions.classList.remove("reserved");
    const turn = this.#turn;
    if (!turn.steps.output) {
      this.#actions.replaceChildren();
      return;
    }
    const copy = iconButton("copy", "Copy the answer", async () => {
      if (await copied(copy, turn.steps.output)) this.#around.announcer.say("Copied.");
    });
    const rate = (name, label) => {
      const button = iconButton(name, label, () => this.#conversation.rate(turn, turn.rating === name ? null : name));
      button.setAttribute("aria-pressed", String(turn.rating === name));
      return button;
    };
    const info = iconButton("info", "About this answer", () => {
      this.#info.hidden = !this.#info.hidden;
      info.setAttribute("aria-expanded", String(!this.#info.hidden));
      if (this.#info.hidden) return;
      this.#info.replaceChildren(infoPanel(turn, this.#around.personas));
      this.#conversation.inform(turn);
    });
    info.setAttribute("aria-expanded", String(!this.#info.hidden));
    const focused = [...this.#actions.children].indexOf(/** @type {Element} */ (document.activeElement));
    this.#actions.replaceChildren(
      copy,
      iconButton("again", "Answer again", () => this.#conversation.again(turn)),
      rate("up", "A good answer"),
      rate("down", "Not a good answer"),
      info,
    );
    if (focused >= 0) /** @type {HTMLElement} */ (this.#actions.children[focused]).focus();
  }
}
