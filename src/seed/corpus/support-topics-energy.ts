import type { SupportTopic } from './support-topic.ts';

/** Outages, energy forecasts, feature requests and praise. */
export const energyTopics: readonly SupportTopic[] = [
  {
    name: 'outage',
    titles: ['Dashboard not loading', 'No data since {weekday}', 'Service down?', 'Alerts stopped at {site}'],
    openings: {
      negative: [
        'Everything is down and your status page says all is well. That is a bad joke.',
        'We have been blind for two hours now. This is a catastrophe for our control room!',
        'No data from {site} since {weekday} and nobody answers the phone. Absolutely awful.',
        'The dashboard has been broken all morning. I am fed up.',
        'Third outage this month. I am seriously worried about relying on you.',
        'Your alerts failed and we lost a whole batch because of it. I am furious.',
      ],
      neutral: [
        'Is there an outage at the moment? The dashboard does not load.',
        'We see no data from {site} since this morning.',
        'When is the next maintenance window?',
        'Is the incident of {weekday} closed?',
      ],
      positive: [
        'Great that everything is back so quickly! What was the cause?',
        'Thanks for the open report on the outage. I have one question about it.',
      ],
    },
    questions: [
      'I am sorry about that. Does it concern one site or all of them?',
      'Since when do you see this?',
      'Do you get an error message or an empty page?',
    ],
    details: [
      'All sites, since about nine.',
      'Only {site}.',
      'An empty page with a spinner.',
      'It says "service unavailable".',
      'The alerts are late by an hour.',
    ],
    solutions: [
      'There is an incident in one of our data centers since 8:52. Readings are still collected and nothing is lost; the dashboards should be back within the hour.',
      'The gateway at {site} lost its connection. It stores up to 14 days, so the data will arrive as soon as it is online again.',
      'The incident is over. A queue was full and held the alerts back; we have doubled it and added a warning.',
      'We have moved your organization to the other data center. Please load the page again.',
    ],
    followUps: [
      ['Have we lost any data?', 'No, all readings were kept and have been processed since.'],
      [
        'Do we get compensation?',
        'Yes, the contract promises 99.9 %, and {month} was below that. It will be on the next invoice.',
      ],
      ['How do we hear about it earlier next time?', 'You can subscribe to the status page by e-mail or by webhook.'],
      ['Was it an attack?', 'No, it was a fault in a software update, which has been taken back.'],
    ],
    closings: {
      negative: [
        'An apology does not pay for our losses. Very disappointing.',
        'This must never happen again, it was a nightmare.',
        'We are losing trust in you.',
        'It is still down for us. Unbelievable.',
      ],
      neutral: [
        'OK, I will tell the control room.',
        'It loads again.',
        'Please keep us informed.',
        'We will watch it until {weekday}.',
      ],
      positive: [
        'It is back, thank you for the fast reaction!',
        'Good to hear that nothing is lost. Thanks!',
        'Thank you for being so honest about it.',
      ],
    },
  },
  {
    name: 'energy forecasts',
    titles: [
      'Forecast of {site}',
      'Forecast missed the peak',
      'Holiday in the forecast',
      'What does the band mean',
      'Forecast accuracy in {month}',
    ],
    openings: {
      negative: [
        'The forecast of {site} was off by {percent} % on {weekday}. We paid a fortune for balancing energy.',
        'Your forecast ignored the public holiday completely. That was an expensive mistake.',
        'The peak warning came after the peak. What is the point?',
        'I do not trust these forecasts any more, the last week was dreadful.',
      ],
      neutral: [
        'What does the band around the forecast mean?',
        'How far ahead can I forecast {site}?',
        'Does the forecast take the temperature into account?',
        'How many weeks of readings does a new site need?',
        'Where do I enter local holidays for {site}?',
        'How is the accuracy of {month} computed?',
      ],
      positive: [
        'The forecasts for {site} have been spot on this month, congratulations! How do you do it?',
        'We saved €{amount} with the day-ahead forecast. Really happy with it.',
        'The new model is a great step forward. Can we see the old one beside it?',
      ],
    },
    questions: [
      'Which site and which day do you mean?',
      'Do you look at the middle line or at the band?',
      'Were there any unusual events at the site on that day?',
    ],
    details: [
      '{site}, on {weekday}, between 17 and 20 o’clock.',
      'It was a public holiday here.',
      'We had a shift on Saturday, which is unusual.',
      'I look at the line in the middle.',
      'There was a heat wave, 38 degrees.',
    ],
    solutions: [
      'The holiday was missing from the site’s calendar. I have added all public holidays of the region until next year.',
      'The band covers 80 percent of all cases: one hour in ten lies above it and one in ten below.',
      'The forecast starts from the week before, the calendar and the holidays. An unannounced shift can only be seen once it has begun.',
      'A site needs one week of readings; two weeks let us fill gaps.',
      'You can forecast up to seven days ahead. The first day is the most accurate, with an error of about 3 percent.',
    ],
    followUps: [
      [
        'Can I compare it with what really happened?',
        'Yes, under Analytics, Forecast accuracy, for each day and model version.',
      ],
      ['Is the model trained on our data?', 'No, it is the same for all sites and sees only the last week of yours.'],
      [
        'How often is the forecast updated?',
        'Whenever you ask for it, with the readings that have arrived until then.',
      ],
      ['Can I download it?', 'Yes, through the API or as CSV from the chart.'],
    ],
    closings: {
      negative: [
        'That does not bring our money back.',
        'For this price I expected better. Poor.',
        'I am still not convinced, the error is too large.',
      ],
      neutral: [
        'OK, I will enter the holidays.',
        'Understood, so the band is for the risk.',
        'I will compare both versions in {month}.',
        'Good, then I know how to read it.',
      ],
      positive: [
        'Super, now the forecast looks right. Thank you!',
        'Very helpful explanation, thanks!',
        'Brilliant, that is exactly what we need.',
        'Wow, the difference is amazing. Thank you!',
      ],
    },
  },
  {
    name: 'feature request',
    titles: ['Wish: export to spreadsheet', 'Idea for the dashboard', 'Dark mode', 'API for our own tools'],
    openings: {
      negative: [
        'I asked for a simple export a year ago and still nothing. Are you even listening?',
        'It is annoying that I cannot sort the table. Every other tool can.',
      ],
      neutral: [
        'Is there a way to export the table to a spreadsheet?',
        'It would be useful to compare two sites in one chart.',
        'Do you plan a dark mode?',
        'Can the weekly report be sent on {weekday} instead of Monday?',
        'Is there an API for the forecast accuracy?',
      ],
      positive: [
        'I really like the dashboard! It would be even better with two sites in one chart.',
        'Great product. My only wish is an export to a spreadsheet.',
        'The API is a joy to use. Could it also give the accuracy by site?',
      ],
    },
    questions: [
      'Thank you for the idea. What would you use it for?',
      'How often would you need it?',
      'Would a file be enough, or do you need it live?',
    ],
    details: [
      'For the monthly report to our management.',
      'Once a week, for all {count} sites.',
      'A file is enough.',
      'We copy the figures by hand at the moment.',
    ],
    solutions: [
      'That exists already, a little hidden: the three dots above the chart, Compare.',
      'It is planned for the next quarter. I have added your vote and will let you know.',
      'The API has it: ask for analytics, forecastAccuracy. I can send you an example.',
      'I have passed it on to the product team with your description.',
    ],
    followUps: [
      ['Could I try it before it is released?', 'Gladly. I have put you on the list of the pilot group.'],
      ['Will it cost extra?', 'No, it will be part of every plan.'],
      ['Where can I see what is planned?', 'On the roadmap page, linked at the bottom of each screen.'],
    ],
    closings: {
      negative: ['So nothing will happen. As always.', 'Next quarter, sure. I have heard that before.'],
      neutral: [
        'OK, I will wait for it.',
        'Please keep me posted.',
        'The example would help, thanks.',
        'I had not seen the three dots.',
      ],
      positive: [
        'Oh nice, I did not know that. Thank you!',
        'Awesome, I look forward to it!',
        'Thanks for listening, that is great to hear.',
      ],
    },
  },
  {
    name: 'praise',
    titles: ['Thank you', 'Feedback after three months', 'Great help yesterday'],
    openings: {
      negative: ['I wanted to praise your support, but the survey does not even open. Sad.'],
      neutral: [
        'I have filled in the survey. Where do I find the results?',
        'Some feedback after three months: it does what it should.',
      ],
      positive: [
        'I just want to say thank you, the help yesterday was outstanding!',
        'Three months in and the whole team loves it. Wonderful work!',
        'Your support is the best I have had in years.',
        'We cut our peak load by {percent} % thanks to your warnings. Fantastic!',
        'Thank you for the lovely training, everybody enjoyed it.',
      ],
    },
    questions: ['Thank you, that makes our day! What helped you most?', 'How kind of you to write. May we quote you?'],
    details: [
      'The peak warnings, above all.',
      'The person on the phone was patient and friendly.',
      'Yes, you may.',
      'How quickly the questions are answered.',
    ],
    solutions: ['I have passed your words on to the team.', 'That is good to hear. There is more to come in {month}.'],
    followUps: [['Is there a user group near us?', 'Yes, it meets every quarter; I have sent you the invitation.']],
    closings: {
      negative: ['Well, at least you answered.'],
      neutral: ['I will be there.', 'OK, until next time.'],
      positive: ['Keep up the great work!', 'Looking forward to it, thanks again!', 'You are welcome, you deserve it!'],
    },
  },
];
