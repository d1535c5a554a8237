/** What `ask` returns, or what stands for it where that throws. */
export function ifPossible<T, E = undefined>(ask: () => T, otherwise?: E): T | E {
  try {
    return ask();
  } catch {
    return otherwise as E;
  }
}
