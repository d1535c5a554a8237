/** `describe` and its hooks, for what has only tests in a row. */
type Callback = () => unknown;

export type Declare = (name: string, run: () => Promise<void>) => void;

/** @param declare - told each test, with the names of what it stands in, and its hooks */
export function scopes(declare: Declare) {
  let scope = { name: '', before: [] as Callback[], after: [] as Callback[] };
  return {
    describe(name: string, define: Callback): void {
      const outer = scope;
      scope = { name: `${outer.name}${name}: `, before: [...outer.before], after: [...outer.after] };
      define();
      scope = outer;
    },
    beforeEach: (callback: Callback) => void scope.before.push(callback),
    afterEach: (callback: Callback) => void scope.after.push(callback),
    it(name: string, test: Callback): void {
      const { name: prefix, before, after } = scope;
      declare(prefix + name, async () => {
        for (const hook of before) await hook();
        try {
          await test();
        } finally {
          for (const hook of after) await hook();
        }
      });
    },
  };
}
