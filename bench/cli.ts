import { program } from 'commander';
import { benchDeepPages } from './deep-pages.ts';

program.name('npm run bench --').description('Figures of this server, each as a ratio measured in one run.');
program
  .command('deep-pages')
  .description('page 1 against page 5,000 by cursor, on a database of at least 500,000 features')
  .action(benchDeepPages);
await program.parseAsync();
