/** Whether the process is in its `exit` event: from then on nothing asynchronous happens. */
export let exiting = false;

export function exitBegins(): void {
  exiting = true;
}
