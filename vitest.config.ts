import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

const conditions = ["@vmbind/source"];

/** Files of tests that start programs, mock modules, set the environment or look at the heap. */
const PROGRAMS = [
  "apps/*/test/**/*.test.ts",
  "packages/{lab,live}/test/**/*.test.ts",
  "packages/*/test/**/*memory.test.ts",
  "test/**/*.test.ts",
];

function project(name: string, test: TestProjectInlineConfiguration["test"]): TestProjectInlineConfiguration {
  return {
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: conditions } },
    // Vector files run whole in one test; a loaded machine needs more than the usual five seconds for some.
    test: { name, testTimeout: 60_000, ...test },
  };
}

export default defineConfig({
  test: {
    // The usual number is one less than there are cores: half of a machine with two.
    maxWorkers: "100%",
    globalSetup: [
      "test/temp-guard.ts",
      "apps/playground/scripts/build-page.mjs",
      // Takes the page of the playground.
      "apps/bench/scripts/bundle-pages.mjs",
    ],
    projects: [
      // A file of these leaves nothing to the next one, and a process for each would take a third of the time of all.
      project("models", { isolate: false, include: ["packages/*/test/**/*.test.ts"], exclude: PROGRAMS }),
      project("programs", { include: PROGRAMS }),
    ],
    coverage: { provider: "v8", include: ["packages/*/src/**"], reporter: ["text", "html"] },
  },
});
