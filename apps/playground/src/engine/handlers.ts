/** All requests, one line each. */

import { listDrivers } from "./list-drivers.ts";
import { listMappings } from "./trace/list-mappings.ts";
import { openTrace } from "./trace/open-trace.ts";
import { tellCall } from "./trace/tell-call.ts";
import { tellHistory } from "./trace/tell-history.ts";
import { walkAddress } from "./trace/walk-address.ts";

/** By kind. A handler is given the request and its turn, and answers with plain data. */
export const HANDLERS = {
  "list-drivers": listDrivers,
  "list-mappings": listMappings,
  "open-trace": openTrace,
  "tell-call": tellCall,
  "tell-history": tellHistory,
  "walk-address": walkAddress,
};
