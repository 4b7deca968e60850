import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// The bundle goes where the server looks for it; it is built, never committed.
export default defineConfig({
  plugins: [svelte()],
  base: "/",
  build: {
    outDir: "../src/conspect/web/explorer/bundle",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
});
