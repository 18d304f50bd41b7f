import type { SupportTopic } from './support-topic.ts';

/** Sign-in, the mobile app, and data imports. */
export const accessTopics: readonly SupportTopic[] = [
  {
    name: 'login',
    titles: [
      'Cannot sign in',
      'New phone, lost access',
      'Password reset mail missing',
      'Locked account',
      'Single sign-on for our team',
    ],
    openings: {
      negative: [
        'I am locked out again and I have a meeting in ten minutes. This is infuriating!',
        'The password reset simply does not work. I have tried five times and I am losing my patience.',
        'Your login keeps throwing me out every few minutes. It is horrible to work like this.',
        'The code never arrives on my {device}. Useless.',
        'Nobody in our team can sign in this morning. We are losing money here!',
      ],
      neutral: [
        'I have a new {device} and need to set up the second factor again.',
        'How do I invite a colleague as a guest?',
        'I did not receive the mail for resetting my password.',
        'Can we use our own identity provider for signing in?',
        'How long does a session last before I have to sign in again?',
        'Where do I change my e-mail address?',
      ],
      positive: [
        'The passkey sign-in is brilliant! How can I add my {device} as a second one?',
        'Signing in has become so much easier, thank you. One question about guests, though.',
      ],
    },
    questions: [
      'I can help with that. Which e-mail address do you use to sign in?',
      'What exactly does the message on the screen say?',
      'Is it the same in another browser, or on your {device}?',
      'When did it last work?',
    ],
    details: [
      'It says "code expired" each time.',
      'The same on my {device} and on the computer.',
      'It worked until {weekday}.',
      'There is no message, the page just loads again.',
      'I use the address of my company, as always.',
      'It says that the account is locked for security reasons.',
    ],
    solutions: [
      'The clock of your {device} is two minutes off, so its codes are too old. Set the time to automatic and the next code will work.',
      'I have unlocked the account and sent a new link, which is valid for 30 minutes.',
      'Your mail server put our message into quarantine. Ask your administrator to allow our domain; meanwhile I have sent a link to your second address.',
      'I have removed the old device. At the next sign-in you will be asked to add the new one.',
      'Single sign-on is under Settings, Security. You need the metadata address of your identity provider.',
    ],
    followUps: [
      ['Do I lose anything when the device is removed?', 'No, only the sign-in of that device ends.'],
      ['Can I have two devices at the same time?', 'Yes, up to five.'],
      ['Who else can see that I was locked out?', 'Only the administrators of your organization.'],
      ['Is my account safe?', 'Yes. There were failed attempts from one address, and none of them got in.'],
    ],
    closings: {
      negative: [
        'Still does not work. I give up for today.',
        'I missed my meeting because of this. Thanks for nothing.',
        'This happens every month. It is exhausting.',
      ],
      neutral: [
        'OK, I am in.',
        'I will ask our administrator.',
        'Alright, I will try it on {weekday}.',
        'It works now, I think.',
      ],
      positive: [
        'It works again, thank you very much!',
        'Great, that was easy. Thanks!',
        'You saved my morning, thank you!',
        'Amazing, I am back in. Excellent help.',
      ],
    },
  },
  {
    name: 'mobile app',
    titles: ['App closes by itself', 'Charts on {device}', 'Notifications on my phone', 'Offline mode'],
    openings: {
      negative: [
        'The app crashes every time I open a chart on my {device}. Worst update ever.',
        'Since the update the app drains my battery in two hours. Terrible.',
        'The notifications do not stop, I got forty of them last night. I am so angry.',
        'Everything in the app is slow and broken since {weekday}.',
      ],
      neutral: [
        'Does the app work without a connection?',
        'How do I switch between two organizations in the app?',
        'Is there a version of the app for my {device}?',
        'Can I choose which alerts reach my phone?',
      ],
      positive: [
        'The new app is beautiful and so fast! Is a dark mode planned?',
        'I love the offline mode. It works even in the basement of {site}.',
      ],
    },
    questions: [
      'Which version of the app is it? You find it under About.',
      'Which device and system version do you use?',
      'Does it happen on every chart or on a certain one?',
    ],
    details: [
      'Version 5.2 on a {device}.',
      'Only on the yearly chart of {site}.',
      'On every chart, right after opening it.',
      'The latest version, updated on {weekday}.',
    ],
    solutions: [
      'This is a known fault of version 5.2 with very long series. Version 5.2.1 is in the store since this morning.',
      'Under Settings, Notifications you can group the alerts of one event. I have switched that on for you.',
      'The app keeps the last 30 days of the sites you opened, so it works without a connection.',
      'Please remove the app’s cache under Settings, Storage. The battery use should be normal afterwards.',
    ],
    followUps: [
      ['Do I lose my settings when I update?', 'No, they are kept with your account.'],
      ['Can I get the old version back?', 'Unfortunately not, the store only offers the newest one.'],
      ['Is that the same on tablets?', 'Yes, it is the same app.'],
    ],
    closings: {
      negative: [
        'The new version crashes too. Very poor quality.',
        'I will delete the app then. Pity.',
        'I am disappointed, it used to be a good app.',
      ],
      neutral: ['I will update tonight.', 'OK, noted.', 'Then I will use the browser for now.'],
      positive: [
        'The update fixed it, thank you!',
        'Lovely, works like a charm now.',
        'Cool, thanks for the quick answer!',
      ],
    },
  },
  {
    name: 'data import',
    titles: [
      'Import of meter readings fails',
      'Gap in the readings of {site}',
      'Wrong time zone after import',
      'CSV format',
    ],
    openings: {
      negative: [
        'The import has failed four times now and the error message tells me nothing. I hate it.',
        'Half of our readings are missing after the import. This is a disaster for our report.',
        'All hours are shifted by one since the clock change. How can you get this wrong?',
        'Your import destroyed our data for {month}!',
      ],
      neutral: [
        'Which format does the file for meter readings need?',
        'There is a gap in the readings of {site} on {weekday}.',
        'Can I import readings for two sites in one file?',
        'How do I replace readings that were wrong?',
        'Does the import expect local time or UTC?',
      ],
      positive: [
        'The new import is impressive, two years of data in a minute! How do I map the solar meter?',
        'Nice work on the import preview. One question about time zones.',
      ],
    },
    questions: [
      'Could you send me the first lines of the file?',
      'Which time zone do the times in the file have?',
      'How many rows does the file have?',
    ],
    details: [
      'It has {count} thousand rows, times in local time.',
      'The first column is the time, the second the load.',
      'Times are UTC, I believe.',
      'The file comes straight from our building control.',
    ],
    solutions: [
      'Line {count} has a comma instead of a point in the number. The rest is fine; I have imported it with the right setting.',
      'The times are local, but the import was set to UTC. I have undone it and repeated it with the time zone of {site}.',
      'Importing a time again replaces the earlier reading, so you can simply send the corrected file.',
      'The gateway was offline from 2 to 5 in the morning. It has kept the readings and sent them just now.',
    ],
    followUps: [
      ['Do I have to delete the old readings first?', 'No, they are replaced.'],
      [
        'How are gaps treated in the forecast?',
        'Short ones are filled by a straight line, longer ones by the same hours of the week before.',
      ],
      ['Is there a limit on the size?', '10,000 readings in one call, any number of calls.'],
    ],
    closings: {
      negative: [
        'It took a whole day of my life. Not good enough.',
        'The report is late because of this. I am upset.',
        'That should really be in the documentation.',
      ],
      neutral: [
        'OK, I will send the file again.',
        'I see the readings now.',
        'Then the preview shows the right hours.',
      ],
      positive: [
        'All there, wonderful. Thank you!',
        'Great explanation, thanks!',
        'Perfect, the gap is closed. I am impressed.',
      ],
    },
  },
];
