warn 'own-ruby'
