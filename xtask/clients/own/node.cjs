console.error('own-node');
