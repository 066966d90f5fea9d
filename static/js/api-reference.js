// Shows the OpenAPI schema with Swagger UI. It sends requests to this server only.

const main = document.getElementById("reference");

window.SwaggerUIBundle({
  url: main.dataset.schema,
  domNode: main,
  deepLinking: true,
  validatorUrl: null, // the default asks a validator on another host
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
});

// Swagger UI gives its list of servers no label.
new MutationObserver(() => {
  main.querySelector("#servers")?.setAttribute("aria-label", "Server");
}).observe(main, { childList: true, subtree: true });

// Use the theme that was chosen in the dashboard, or the system's.
const system = matchMedia("(prefers-color-scheme: dark)");
const chosen = /(?:^|; )theme=(light|dark)/.exec(document.cookie)?.[1];

function applyTheme() {
  document.documentElement.classList.toggle("dark-mode", chosen ? chosen === "dark" : system.matches);
}
applyTheme();
system.addEventListener("change", applyTheme);
