import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Browsers start slowly where other programs run.
    testTimeout: 60_000,
    hookTimeout: 240_000,
    retry: 0,
  },
});
