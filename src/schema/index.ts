import '../domains/accounts/schema.ts';
import '../domains/features/schema/index.ts';
import '../domains/predictions/schema/index.ts';
import '../domains/conversations/schema/index.ts';
import '../domains/analytics/schema.ts';
import { builder } from './builder.ts';

/** The whole schema: each domain adds itself by one import above. */
export const schema = builder.toSchema();
