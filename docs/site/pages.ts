/**
 * Gathers what the site shows: the documents of the project, where they are and as they are, and the reference that TypeDoc makes from the
 * docstrings. Links to files that are no pages lead to the repository; addresses of the repository that are pages lead to these.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const root = join(import.meta.dirname, '../..');
export const folder = join(import.meta.dirname, 'pages');
const { repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { repository: { url: string } };
export const address = repository.url.replace(/^git\+|\.git$/g, '');
const raw = address.replace('github.com', 'raw.githubusercontent.com');

const documents = globSync(
  '{README,CHANGELOG,CONTRIBUTING,SECURITY,docs/*,bench/README,bench/results/*,examples/README,examples/*/README}.md',
  {
    cwd: root,
  },
);
const pictures = globSync('docs/*.{svg,webp,png}', { cwd: root });

/** A page's name on the site: that of the front page is `index`, and so are those of folders. */
function nameOnSite(path: string): string {
  return path.replace(/README\.md$/, 'index.md');
}

/** Where a link of a page leads on the site. */
function linkOnSite(page: string, target: string): string {
  const [link = '', heading] = target.split('#');
  const start = [`${address}/blob/main/`, `${raw}/main/`].find((one) => link.startsWith(one));
  if ((start === undefined && /^[a-z]+:/.test(link)) || link === '') return target;
  const path = start === undefined ? normalize(join(dirname(page), link)) : link.slice(start.length);
  const hash = heading === undefined ? '' : `#${heading}`;
  if (documents.includes(path)) return `/${nameOnSite(path)}${hash}`;
  return pictures.includes(path) ? `/${path}` : `${address}/blob/main/${path}${hash}`;
}

function onSite(page: string, text: string): string {
  // samples stay as they are
  return text
    .split(/(^```[\s\S]*?^```$)/m)
    .map((part) =>
      part.startsWith('```')
        ? part
        : part
            .replaceAll(/\]\(([^)\s]+)\)/g, (_, target: string) => `](${linkOnSite(page, target)})`)
            .replaceAll(
              /^(\[[^\]]+\]): (\S+)$/gm,
              (_, name: string, target: string) => `${name}: ${linkOnSite(page, target)}`,
            ),
    )
    .join('');
}

export function gatherPages(): void {
  rmSync(folder, { recursive: true, force: true });
  for (const page of documents) {
    const path = join(folder, nameOnSite(page));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, onSite(page, readFileSync(join(root, page), 'utf8')));
  }
  for (const picture of pictures) {
    mkdirSync(join(folder, 'public', dirname(picture)), { recursive: true });
    copyFileSync(join(root, picture), join(folder, 'public', picture));
  }
  execFileSync(process.execPath, [join(import.meta.dirname, 'node_modules/typedoc/bin/typedoc')], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}
