/** A process of its own that works on a file by the synchronous provider until its input ends. */
import { ReferenceProvider } from './reference-provider.ts';

const provider = new ReferenceProvider(String(process.argv[2]), 'tasks');
for (let clock = 1; clock <= 30; clock++) await provider.appendPatch(new Uint8Array(20).fill(clock), clock);
console.log('open');
process.stdin.resume();
process.stdin.once('end', () => void provider.close());
