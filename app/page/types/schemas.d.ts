// The types of the API's requests and responses by their names, for the JSDoc of the scripts:
// import("../../types/schemas.d.ts").AdversarialResult. `make types` writes api.d.ts from the OpenAPI document.

export type * from "./api.d.ts";
