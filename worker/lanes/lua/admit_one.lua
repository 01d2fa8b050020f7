-- As admit.lua, for a batch of one: what a batch needs is not even made.

begin_batch()
take_in(1)
return answer(refused, batch_from)
