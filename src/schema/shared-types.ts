import { builder } from './builder.ts';

/** Types that several domains use. */
export const OrderDirection = builder.enumType('OrderDirection', {
  description: 'Which way a list runs.',
  values: {
    ASC: { description: 'Least or earliest first.' },
    DESC: { description: 'Greatest or latest first.' },
  },
});

export const TimeRange = builder.inputType('TimeRange', {
  description: 'A span of time; from is inclusive, to is exclusive.',
  fields: (t) => ({
    from: t.field({ type: 'DateTime', required: true, description: 'The first moment of the range.' }),
    to: t.field({ type: 'DateTime', required: true, description: 'The first moment after the range.' }),
  }),
});
