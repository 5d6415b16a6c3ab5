/** The inside of the worker that runs programs. */

import { serve } from "../serve.ts";
import { PROGRAM_HANDLERS } from "./handlers.ts";

serve(PROGRAM_HANDLERS);
