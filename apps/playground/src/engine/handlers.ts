/** All requests, one line each. */

import { listDrivers } from "./list-drivers.ts";

/** By kind. A handler is given the request and its turn, and answers with plain data. */
export const HANDLERS = {
  "list-drivers": listDrivers,
};
