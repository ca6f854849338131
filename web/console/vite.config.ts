import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const DIST = resolve(import.meta.dirname, "dist");

/** Packs what was built once, so that a node need not at each request. */
function packed(): Plugin {
  return {
    name: "packed",
    apply: "build",
    async closeBundle() {
      for (const entry of await readdir(DIST, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(js|css|html|svg)$/.test(entry.name)) continue;
        const path = resolve(entry.parentPath, entry.name);
        const plain = await readFile(path);
        await writeFile(`${path}.br`, brotliCompressSync(plain));
        await writeFile(`${path}.gz`, gzipSync(plain, { level: 9 }));
      }
    },
  };
}

const NODE = process.env.STOA_URL ?? "http://127.0.0.1:8080";

export default defineConfig(async ({ command }) => {
  // The folder stays, and the file in it that git knows: what embeds it looks there.
  if (command === "build") await rm(`${DIST}/assets`, { recursive: true, force: true });
  return {
    plugins: [react(), packed()],
    // Whatever is no page is the node's.
    server: {
      proxy: {
        "^/(-/|v1/|ready$|stoa\\.)": NODE,
        "^/live$": { target: NODE, ws: true },
      },
    },
    build: {
      target: "es2023",
      emptyOutDir: false,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
  };
});
