// How much work the service takes over an attack or a picture.

export const EFFORTS = /** @type {const} */ (["quick", "standard", "thorough"]);
