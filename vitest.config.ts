import { defineConfig } from "vitest/config";

const conditions = ["@vmbind/source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "apps/*/test/**/*.test.ts"],
    coverage: { provider: "v8", include: ["packages/*/src/**"], reporter: ["text", "html"] },
  },
});
