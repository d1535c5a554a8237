/** What is to be tidied up: after the last test, when every hook has closed what it opened. */
const callbacks: (() => unknown)[] = [];

export const onTestFinished = (callback: () => unknown) => void callbacks.push(callback);

export function finish(): void {
  for (const callback of callbacks.splice(0)) callback();
}
