// A worker's timer is not slowed down in a hidden tab, so alarms sound and a dead line is noticed there too.
setInterval(() => postMessage(0), 1000);
