// On every page: theme, time zone, menus, copying, confirming, toasts. Pages add their own modules.
import { ask, copy, settle, toast } from "./ui.js";

const YEAR = 60 * 60 * 24 * 365;

function remember(name, value) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=${value ? YEAR : 0}; samesite=lax${secure}`;
}

// The server shows times in this zone. The login page sets it, before the first page with times.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) document.cookie = `tz=${zone}; path=/; max-age=${YEAR}; samesite=lax`;

function chooseTheme(theme) {
  remember("theme", theme);
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  for (const button of document.querySelectorAll("[data-theme-switch] button")) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
  document.dispatchEvent(new CustomEvent("themechange"));
}

document.addEventListener("click", (event) => {
  const target = event.target;
  const themeButton = target.closest("[data-theme-switch] button");
  if (themeButton) chooseTheme(themeButton.value);

  const copier = target.closest("[data-copy], [data-copy-text]");
  if (copier) {
    const from = copier.dataset.copy ? document.querySelector(copier.dataset.copy) : null;
    copy(from ? (from.value ?? from.textContent) : copier.dataset.copyText);
  }
  if (target.matches("[data-select]")) target.select();

  const toggle = target.closest("[data-toggle-menu]");
  if (toggle) {
    const menu = document.getElementById(toggle.getAttribute("aria-controls"));
    toggle.setAttribute("aria-expanded", String(menu.classList.toggle("open")));
  }

  const opener = target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  const closer = target.closest("[data-closes]");
  if (closer) closer.closest("dialog").close();

  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(target)) menu.open = false;
  }

  const row = target.closest("tr[data-href]");
  if (row && !target.closest("a, button, input, label, select") && !String(getSelection())) {
    if (event.metaKey || event.ctrlKey) window.open(row.dataset.href, "_blank", "noopener");
    else location.assign(row.dataset.href);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const { confirm: heading, confirmText: text, confirmAction: action } = form.dataset;
  if (!heading || form.dataset.confirmed) return;
  event.preventDefault();
  const submitter = event.submitter;
  if (await ask(heading, { text, action })) {
    form.dataset.confirmed = "yes";
    form.requestSubmit(submitter);
    delete form.dataset.confirmed;
  }
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

document.addEventListener("htmx:confirm", async (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  const { confirmText: text, confirmAction: action } = event.detail.elt.dataset;
  if (await ask(event.detail.question, { text, action })) event.detail.issueRequest(true);
});

document.addEventListener("toast", (event) => toast(event.detail.text, event.detail.tone));
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (status === 401) return; // the page is redirected to the login form
  toast(status === 403 ? "You are not allowed to do that." : `The request failed (${status}). Try again.`, "bad");
});
document.addEventListener("htmx:sendError", () => toast("The server cannot be reached.", "bad"));

// The server refuses changes in a suspended organization, so their controls are disabled.
function disableControls(root) {
  const reason = document.body.dataset.suspended;
  if (!reason) return;
  const forms = [...root.querySelectorAll('form[method="post"]:not([data-always])')];
  const controls = forms.flatMap((form) => [...form.elements]).filter((each) => each.type !== "hidden");
  for (const control of [...controls, ...root.querySelectorAll("[data-opens]")]) {
    control.disabled = true;
    control.title = reason;
  }
}
const main = document.getElementById("main");
if (main) disableControls(main);
document.addEventListener("htmx:afterSettle", (event) => disableControls(event.target));

for (const box of document.querySelectorAll("#toasts .toast")) settle(box);
for (const dialog of document.querySelectorAll("dialog[data-open-now]")) dialog.showModal();

// The same texts as the server's filter "when".
function ago(seconds) {
  const size = Math.abs(seconds);
  if (size < 45) return seconds > 0 ? "in a moment" : "just now";
  const [unit, name] = size < 3564 ? [60, "min"] : size < 85536 ? [3600, "h"] : [86400, "d"];
  const text = `${Math.max(1, Math.round(size / unit))} ${name}`;
  return seconds > 0 ? `in ${text}` : `${text} ago`;
}

function refreshAgo() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    time.textContent = ago((Date.parse(time.dateTime) - Date.now()) / 1000);
  }
}
refreshAgo();
setInterval(refreshAgo, 20000);
