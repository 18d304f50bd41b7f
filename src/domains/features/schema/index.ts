import './deployment.ts';
import './feature.ts';
import './mutations.ts';
import './queries.ts';
import './test-case.ts';
import './test-mutations.ts';
