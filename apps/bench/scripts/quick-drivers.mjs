/**
 * Drivers whose models are one script with what they are made of: those whose recordings CONTRIBUTING.md measures a replay by. To have
 * all drivers in it costs each replay 0.015 s and 3 MiB.
 */
export const QUICK_DRIVERS = ["panthor", "asahi", "xe"];
