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
