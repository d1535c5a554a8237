/** What is printed may be read by nobody, or find no room: the work that was asked for is done all the same. */

export const output = {
  /** Whether anybody may still read what is printed on stdout. */
  isRead: true,
  /** Why it could not be written, if so: then the exit code is not 0. */
  failure: undefined as Error | undefined,
};

/** Without listeners, such an error would end the process in the middle of its work. */
export function keepWorkingWithoutReaders(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // whoever reads it has seen enough: `| head -1`
    if (error.code === 'EPIPE') output.isRead = false;
    else output.failure = error;
  });
  // there is no other place to tell it; what it would have said is in the exit code
  process.stderr.on('error', () => {});
}
