// asker
