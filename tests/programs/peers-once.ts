/** Installs what the benchmark compares with before any test file asks for it: two installations at a time take each other's files away. */
import { installPeers } from '../../bench/install.ts';

export default function setup(): void {
  installPeers(); // what is missing is told by each test that is left out for it
}
