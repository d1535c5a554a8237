/** Reporter: one plain line at the end of a run, for whatever reads the output without knowing Vitest. */
import type { Reporter, TestModule } from 'vitest/node';

export default class PlainSummary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      // a file that can't be loaded, or a failing hook, fails although no test of it does
      const failedTests = [...module.children.allTests('failed')].length;
      counts.failed += failedTests > 0 || module.ok() ? failedTests : 1;
      counts.passed += [...module.children.allTests('passed')].length;
      counts.skipped += [...module.children.allTests('skipped')].length;
    }
    const { passed, failed, skipped } = counts;
    process.stdout.write(`\ntests: ${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  }
}
