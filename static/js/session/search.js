// Search in the transcript: marks all hits. Enter goes to the next one, Shift+Enter to the previous one.

function fold(text) {
  // Ignore accents and case: "cafe" finds "Café". Each character keeps its length, so that positions in
  // the folded text are positions in the text.
  let folded = "";
  for (const character of text) {
    const plain = character.normalize("NFD")[0].toLowerCase();
    folded += plain.length === character.length ? plain : character;
  }
  return folded;
}

export class Search {
  constructor(input, output, list, reveal) {
    Object.assign(this, { input, output, list, reveal, hits: [], at: -1 });
    input.addEventListener("input", () => this.run());
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.step(event.shiftKey ? -1 : 1);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !event.target.closest("input, textarea, select")) {
        event.preventDefault();
        input.focus();
      }
    });
    if (input.value) this.run();
  }

  /** Marks all hits. With `stay`, the transcript does not scroll to the first one. */
  run({ stay = false } = {}) {
    for (const mark of this.list.querySelectorAll("mark")) mark.replaceWith(...mark.childNodes);
    this.list.normalize();
    this.hits = [];
    if (!stay) this.at = -1;
    const wanted = fold(this.input.value.trim());
    if (wanted.length > 1) {
      for (const words of this.list.querySelectorAll(".seg:not(.partial) .text, .seg .tr")) this.markIn(words, wanted);
    }
    this.output.textContent = wanted.length > 1 ? `${this.hits.length}` : "";
    if (this.hits.length && !stay) this.step(1);
  }

  markIn(element, wanted) {
    const text = element.textContent;
    const folded = fold(text);
    let from = 0;
    const pieces = [];
    for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, from)) {
      pieces.push(text.slice(from, at));
      const mark = document.createElement("mark");
      mark.textContent = text.slice(at, at + wanted.length);
      pieces.push(mark);
      this.hits.push(mark);
      from = at + wanted.length;
    }
    if (pieces.length) element.replaceChildren(...pieces, text.slice(from));
  }

  step(by) {
    if (!this.hits.length) return;
    this.hits[this.at]?.classList.remove("current");
    this.at = (this.at + by + this.hits.length) % this.hits.length;
    const hit = this.hits[this.at];
    hit.classList.add("current");
    this.reveal(hit.closest(".seg"));
    this.output.textContent = `${this.at + 1}/${this.hits.length}`;
  }
}
