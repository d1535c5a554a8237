import { defineConfig } from 'vitepress';
import { address } from '../pages.ts';

export default defineConfig({
  title: 'sds-persistence-worker',
  description: "Persistence for collaborative documents that leaves Node's event loop free",
  // where it is shown: https://NAME.github.io/REPOSITORY/ has a folder
  base: process.env.DOCS_BASE ?? '/',
  srcDir: 'pages',
  outDir: 'out',
  cacheDir: 'out/.cache',
  lastUpdated: false,
  markdown: { languageAlias: { cjs: 'js', mjs: 'js' } },
  vite: { build: { chunkSizeWarningLimit: 2000 } },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    socialLinks: [{ icon: 'github', link: address }],
    nav: [
      { text: 'Guarantees', link: '/docs/guarantees' },
      { text: 'API', link: '/docs/api' },
      { text: 'Benchmark', link: '/bench/' },
      { text: 'Changelog', link: '/CHANGELOG' },
    ],
    sidebar: [
      {
        text: 'Begin',
        items: [
          { text: 'What it is', link: '/' },
          { text: 'The swap', link: '/docs/swap' },
          { text: 'Guarantees', link: '/docs/guarantees' },
          { text: 'Examples', link: '/examples/' },
        ],
      },
      {
        text: 'Documents',
        items: [
          { text: 'Hocuspocus', link: '/docs/hocuspocus' },
          { text: 'Yjs', link: '/docs/yjs' },
          { text: 'automerge-repo', link: '/docs/automerge-repo' },
          { text: 'TinyBase, Loro, tldraw', link: '/docs/recipes' },
        ],
      },
      {
        text: 'Run it',
        items: [
          { text: 'Operations', link: '/docs/operations' },
          { text: 'Beyond one machine', link: '/docs/scale' },
          { text: 'Where it runs', link: '/docs/surroundings' },
        ],
      },
      {
        text: 'Reference',
        items: [
          { text: 'API', link: '/docs/api' },
          { text: 'From the docstrings', link: '/reference/' },
        ],
      },
      {
        text: 'How it works',
        items: [
          { text: 'Architecture', link: '/docs/architecture' },
          { text: 'On PostgreSQL', link: '/docs/architecture-postgresql' },
          { text: 'Write an engine', link: '/docs/engines' },
          { text: 'Reliability', link: '/docs/reliability' },
          { text: 'Benchmark', link: '/bench/' },
          { text: 'Contributing', link: '/CONTRIBUTING' },
        ],
      },
    ],
  },
});
