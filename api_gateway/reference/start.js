"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: -1, // each operation shows its own
  docExpansion: "list",
  tryItOutEnabled: true,
  validatorUrl: null, // a badge of another host
});
