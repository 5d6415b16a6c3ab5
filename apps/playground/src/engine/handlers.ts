/** All requests, one line each. */

import { countCreation } from "./count-creation.ts";
import { cutMappings } from "./cut-mappings.ts";
import { keepBooks } from "./keep-books.ts";
import { listDrivers } from "./list-drivers.ts";
import { sparseStrategies } from "./sparse-strategies.ts";
import { diffOpened } from "./trace/diff-opened.ts";
import { listMappings } from "./trace/list-mappings.ts";
import { openTrace } from "./trace/open-trace.ts";
import { tellCall } from "./trace/tell-call.ts";
import { tellHistory } from "./trace/tell-history.ts";
import { walkAddress } from "./trace/walk-address.ts";
import { tryTiles } from "./try-tiles.ts";
import { walkByHand, walkFormats } from "./walk-by-hand.ts";

/** By kind. A handler is given the request and its turn, and answers with plain data. */
export const HANDLERS = {
  "count-creation": countCreation,
  "cut-mappings": cutMappings,
  "keep-books": keepBooks,
  "diff-traces": diffOpened,
  "list-drivers": listDrivers,
  "list-mappings": listMappings,
  "open-trace": openTrace,
  "tell-call": tellCall,
  "tell-history": tellHistory,
  "walk-address": walkAddress,
  "sparse-strategies": sparseStrategies,
  "try-tiles": tryTiles,
  "walk-by-hand": walkByHand,
  "walk-formats": walkFormats,
};
