/** `npm run live`: reads the arguments, installs what the example needs, and starts it. */
import { ArgumentError, help, readArguments } from './arguments.ts';
import { install } from './install.ts';

async function main(): Promise<number> {
  const args = readArguments(process.argv.slice(2));
  if (args.help) {
    console.log(help);
    return 0;
  }
  if (!(await install())) {
    console.error('The packages of examples/live could not be installed; npm said why above.');
    return 1;
  }
  // these need the packages
  if (args.soakMinutes !== undefined) return (await import('./soak/soak.ts')).soak(args.soakMinutes);
  if (args.record !== undefined) return (await import('./record/record.ts')).record(args.record);
  return (await import('./front/live.ts')).live(args);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof ArgumentError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
