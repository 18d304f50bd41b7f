import './deployment.ts';
import './feature.ts';
import './feature-mutations.ts';
import './feature-list.ts';
import './public-feature.ts';
import './test-case.ts';
import './test-case-mutations.ts';
