import { defineConfig } from "vitest/config";

const conditions = ["@vmbind/source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    globalSetup: ["test/temp-guard.ts", "apps/bench/scripts/bundle-pages.mjs"],
    // Vector files run whole in one test; a loaded machine needs more than the usual five seconds for some.
    testTimeout: 60_000,
    include: ["packages/*/test/**/*.test.ts", "apps/*/test/**/*.test.ts", "test/**/*.test.ts"],
    coverage: { provider: "v8", include: ["packages/*/src/**"], reporter: ["text", "html"] },
  },
});
