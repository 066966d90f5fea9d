// Renders the OpenAPI schema with Swagger UI. No request leaves this server.

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

// Swagger UI brings both appearances; the choice is the dashboard's, or the system's.
const system = matchMedia("(prefers-color-scheme: dark)");
const chosen = /(?:^|; )theme=(light|dark)/.exec(document.cookie)?.[1];

function appear() {
  document.documentElement.classList.toggle("dark-mode", chosen ? chosen === "dark" : system.matches);
}
appear();
system.addEventListener("change", appear);
