/** In Node's own framework. */
import { after } from 'node:test';
import { finish } from '../finished.ts';

export { afterEach, beforeEach, describe, it } from 'node:test';
export { expect } from '../expect.ts';
export { onTestFinished } from '../finished.ts';

after(finish);
