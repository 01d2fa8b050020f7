import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  esbuild: { jsx: "automatic" },
  build: { chunkSizeWarningLimit: 20000 },
  // Some of Grafana's dependencies ask for Node's global.
  define: { global: "globalThis", "process.env.NODE_ENV": '"production"' },
});
