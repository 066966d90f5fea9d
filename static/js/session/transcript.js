// The transcript of both parties. What was said is set as textContent only, never as HTML.
import { clock } from "../ui.js";

const NEAR_END = 80; // pixels from the bottom at which the list still follows new lines

export class Transcript {
  constructor(list, template) {
    this.list = list;
    this.template = template.content.firstElementChild;
    this.toEnd = document.getElementById("to-end");
    this.following = true;
    list.addEventListener("scroll", () => this.noteScroll(), { passive: true });
    this.toEnd.addEventListener("click", () => this.scrollToEnd());
  }

  noteScroll() {
    const left = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight;
    this.following = left < NEAR_END;
    if (this.following) this.toEnd.hidden = true;
  }

  scrollToEnd() {
    this.list.scrollTop = this.list.scrollHeight;
    this.following = true;
    this.toEnd.hidden = true;
  }

  /** A final. It replaces its partial. The same final again changes nothing. */
  segment({ id, sequence, speaker, language, text, translation, start_time, end_time, confidence }) {
    const known = document.getElementById(id);
    if (known?.dataset.sequence) return false;
    const line = known ?? this.place(id, speaker, start_time);
    line.classList.remove("partial");
    line.dataset.sequence = sequence;
    line.dataset.end = end_time;
    line.querySelector(".said-in").textContent = language + (confidence < 0.6 ? " · low confidence" : "");
    const words = line.querySelector(".text");
    words.lang = language;
    words.textContent = text;
    if (translation) this.translation(id, translation);
    this.settle();
    return true;
  }

  /** A partial. An empty text removes it. */
  partial({ id, speaker, language, text, start_time }) {
    const known = document.getElementById(id);
    if (known?.dataset.sequence) return;
    if (!text) {
      known?.remove();
      return;
    }
    const line = known ?? this.place(id, speaker, start_time);
    line.classList.add("partial");
    line.querySelector(".said-in").textContent = language ? `${language} · speaking` : "speaking";
    line.querySelector(".text").textContent = text;
    this.settle();
  }

  translation(id, text) {
    const words = this.translated(id);
    if (!words) return;
    words.classList.remove("subtitle");
    words.textContent = text;
    this.settle();
  }

  /** The translation of what has been said so far. The final one replaces it; an empty text removes it. */
  subtitle(id, text) {
    const known = document.getElementById(id)?.querySelector(".tr");
    if (known && !known.classList.contains("subtitle")) return;
    if (!text) {
      known?.remove();
      return;
    }
    const words = this.translated(id);
    if (!words) return;
    words.classList.add("subtitle");
    words.textContent = text;
    this.settle();
  }

  untranslated(id) {
    document.getElementById(id)?.querySelector(".tr.subtitle")?.remove();
    this.note(id, "not translated");
  }

  interrupted(id) {
    this.note(id, "interrupted");
  }

  note(id, text) {
    const who = document.getElementById(id)?.querySelector(".who");
    if (!who || [...who.querySelectorAll(".note")].some((note) => note.textContent === text)) return;
    const note = document.createElement("span");
    note.className = "note";
    note.textContent = text;
    who.append(note);
  }

  /** The element of a line's translation; null if the line is not shown yet. */
  translated(id) {
    const line = document.getElementById(id);
    if (!line) return null;
    let words = line.querySelector(".tr");
    if (!words) {
      words = document.createElement("p");
      words.className = "tr";
      words.dir = "auto";
      line.querySelector(".say").append(words);
      const shown = document.getElementById("shown");
      if (shown) shown.hidden = false;
    }
    return words;
  }

  dropPartials() {
    for (const line of this.list.querySelectorAll(".partial")) line.remove();
  }

  place(id, speaker, start) {
    const line = this.template.cloneNode(true);
    line.id = id;
    line.classList.add(speaker, "new");
    line.dataset.start = start;
    line.querySelector(".at").textContent = clock(start);
    line.querySelector(".who b").textContent = speaker === "agent" ? "Agent" : "Customer";
    // Keep lines in order of time: a short answer may be final before a long question.
    let next = null;
    for (let other = this.list.lastElementChild; other; other = other.previousElementSibling) {
      if (Number(other.dataset.start) <= start) break;
      next = other;
    }
    this.list.insertBefore(line, next);
    document.getElementById("no-lines").hidden = true;
    return line;
  }

  settle() {
    if (this.following) this.list.scrollTop = this.list.scrollHeight;
    else this.toEnd.hidden = false;
  }

  /** Marks the line at that time and scrolls to it, for a player: of `heard`, where given, the last. */
  mark(seconds, heard) {
    let now = heard?.length ? document.getElementById(heard.at(-1)) : null;
    for (const line of heard ? [] : this.list.children) {
      if (Number(line.dataset.start) > seconds) break;
      if (seconds < Number(line.dataset.end) + 0.3) now = line;
    }
    if (now === this.marked) return;
    this.marked?.classList.remove("now");
    this.marked = now;
    if (now) {
      now.classList.add("now");
      this.reveal(now);
    }
  }

  reveal(line) {
    const top = line.offsetTop - this.list.offsetTop;
    if (top < this.list.scrollTop || top + line.offsetHeight > this.list.scrollTop + this.list.clientHeight) {
      this.list.scrollTop = top - this.list.clientHeight / 3;
    }
  }

  asText() {
    const rows = [];
    for (const line of this.list.querySelectorAll(".seg:not(.partial)")) {
      const at = line.querySelector(".at").textContent;
      rows.push(`[${at}] ${line.querySelector(".who b").textContent}: ${line.querySelector(".text").textContent}`);
      const translated = line.querySelector(".tr");
      if (translated) rows.push(`        ${translated.textContent}`);
    }
    return rows.join("\n");
  }
}
