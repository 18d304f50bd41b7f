import '../domains/accounts/schema.ts';
import '../domains/features/schema/index.ts';
import '../domains/predictions/schema/index.ts';
import '../domains/conversations/schema/index.ts';
import '../domains/documents/schema.ts';
import '../domains/analytics/schema.ts';
import { specifiedDirectives } from 'graphql';
import { builder } from './builder.ts';
import { policyDirectives } from './policy.ts';

/** The whole schema: each domain adds itself by one import above. */
export const schema = builder.toSchema({ directives: [...specifiedDirectives, ...policyDirectives] });
