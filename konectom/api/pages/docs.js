// A file of its own, since the page's content security policy allows no inline script.
SwaggerUIBundle({
  url: "docs/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // would ask a server elsewhere
});
