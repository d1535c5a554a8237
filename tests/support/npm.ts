/** What runs npm: within a script of npm's that very one, by Node, since on Windows `npm` is no program that can be started. */
const path = process.env.npm_execpath;
export const npm: readonly [program: string, ...args: string[]] = path?.endsWith('.js')
  ? [process.execPath, path]
  : ['npm'];
